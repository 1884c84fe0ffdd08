-- Twin of PaceState in gateway/domain/rates.py; tests/vectors/rates.json holds both to it.
-- KEYS[1] the bandwidth. ARGV: wanted, bytes per second, window in seconds, now in us or 0. Returns: granted.
local time = redis.call('TIME')
local now = tonumber(ARGV[4])
if now == 0 then now = tonumber(time[1]) * 1000000 + tonumber(time[2]) end
local wanted, per_second = tonumber(ARGV[1]), tonumber(ARGV[2])
local total = per_second * tonumber(ARGV[3])
local burst, behind = math.max(1, total / 20), math.max(1, total / 4)
local level, at, waited_for = burst, now, 0
local state = redis.call('GET', KEYS[1])
if state then level, at, waited_for = struct.unpack('ddd', state) end
local is_used = waited_for == 1 or now - at < 150000
local capacity = is_used and behind or burst
level = math.min(capacity, level + math.max(0, now - at) * per_second / 1000000)
local granted = math.max(0, math.min(wanted, math.floor(level + 1e-6)))
level = level - granted
waited_for = granted < wanted and 1 or 0
local life = string.format('%.0f', math.ceil(total * 1000 / per_second) + 1000)
redis.call('SET', KEYS[1], struct.pack('ddd', level, now, waited_for), 'PX', life)
return granted
