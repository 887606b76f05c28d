"""The contract between the engine and the outside systems. A connector imports only this package and `kreslo.records`."""
