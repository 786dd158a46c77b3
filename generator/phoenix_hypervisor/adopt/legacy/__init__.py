"""The predecessor's JSON files as a site: text in, values out; `folders` alone reads and writes."""
