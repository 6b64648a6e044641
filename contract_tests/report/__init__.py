"""What a person and a program read about a run: may import the rules and the safety room."""
