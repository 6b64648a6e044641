"""Whether the mock's state keeps what it acknowledged, whatever is killed, stopped or paused."""
