"""The doors: each translates a request, calls one operation of the catalogue, and translates the answer back."""
