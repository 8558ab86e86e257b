"""One file or folder for each provider; none knows another, and the domain knows none."""
