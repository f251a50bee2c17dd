-- Return the milliseconds the first key that is there has left, negative without a deadline or without any key.
return time_left(KEYS)
