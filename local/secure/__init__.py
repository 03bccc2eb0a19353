"""The secured local run: an authority, certificates and random secrets of its own, and what each part gets of them."""
