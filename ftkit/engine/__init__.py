"""Runs recipes in the frameworks' own processes, and compares what they give."""
