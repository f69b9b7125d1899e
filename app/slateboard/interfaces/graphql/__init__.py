"""The GraphQL door: the same words and the same catalogue as everywhere. Only this package imports Strawberry."""
