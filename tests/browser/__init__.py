"""A headless Chromium to look at pages with, and axe-core to check them."""
