"""The console: pages in a browser on top of the admin API."""
