"""A second, independent implementation of the API: what the contract leaves open, it may do otherwise."""
