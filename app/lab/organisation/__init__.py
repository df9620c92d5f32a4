"""The example organisation: a municipality in Dutch and English, and the loader that enters it by the public API."""
