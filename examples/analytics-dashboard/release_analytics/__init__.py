"""The work behind the example, as plain modules that know nothing of Slateboard: same input, same bytes."""
