"""The nouns: frozen values that one phase hands to the next."""
