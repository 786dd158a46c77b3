"""What is there already, as configs: the predecessor's files."""
