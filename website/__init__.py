"""The documentation's site: pages that are made when it is built, and the check of its links. See docs/ for what is written."""
