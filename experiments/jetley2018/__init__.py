"""Jetley, Lord and Torr 2018: With friends like these, who needs adversaries?"""
