"""Frames policies: whole frames in, clicks out, for any tool. Depends on torch alone."""
