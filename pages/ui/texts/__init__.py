"""What the pages about texts share."""
