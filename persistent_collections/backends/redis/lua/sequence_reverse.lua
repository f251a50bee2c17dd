local list = redis.call('LRANGE', KEYS[1], 0, -1)
put('RPUSH', KEYS[1], reversed(list, 1, #list), 1, #list)
