"""What layers call: checked arguments, sent to the engine in force."""
