"""Tailrace carries an LLM's answer from any provider to any client while it is being written."""
