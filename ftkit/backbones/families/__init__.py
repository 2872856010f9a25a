"""The families of networks, each written down once for every framework."""
