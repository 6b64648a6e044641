"""What reads and serves documents that are not ours; imported for those only, and when they come."""
