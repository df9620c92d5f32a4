"""Exit and fallback plans, their claims, the proof for them and the status that follows."""
