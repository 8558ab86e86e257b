"""Who is who: citizens and their addresses, staff, departments, and who may see what."""
