"""The HTML page: one file without a script and without a request."""

from __future__ import annotations

from fleetsweep.report.html.page import render_page

__all__ = ["render_page"]
