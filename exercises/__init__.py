"""The exercises: a text master each, from which every notebook of it is built."""
