<<<<<<< HEAD
"""The measurements that the README quotes."""
=======
"""The measurements that the README quotes: `make bench`."""
>>>>>>> main
