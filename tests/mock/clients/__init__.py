"""The sandbox as the clients that people really use see it."""
