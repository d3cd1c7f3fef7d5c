"""Attacks that go along one gradient by the smallest weight that changes the class."""
