"""What a version must show before it may become champion, and the signed record that it did."""
