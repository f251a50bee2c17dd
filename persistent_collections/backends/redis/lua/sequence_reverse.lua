local list = redis.call('LRANGE', KEYS[1], 0, -1)
rewrite('RPUSH', reversed(list, 1, #list), 1, #list)
