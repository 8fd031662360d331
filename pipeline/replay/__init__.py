"""Replays: retained records published again as bulk, with what that will write told before, and counted after."""
