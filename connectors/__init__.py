"""The connectors that ship with Kreslo. Anyone can ship more: an entry point of `kreslo.sources` or `kreslo.targets`."""
