"""A ticket is a public promise: its life, its deadlines, its timeline."""
