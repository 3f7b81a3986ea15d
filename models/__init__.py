"""What is learned: candidates, the response model, its intervals and drivers, saving and loading."""
