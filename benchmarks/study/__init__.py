"""The study: experiments as configurations, carried out by one command each."""
