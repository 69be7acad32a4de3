/**
 * Lua: puts jobs into a queue that are written, and in none, as BullMQ's scripts do it that add one. It is no `Script`, since Redis
 * could forget that within a transaction. KEYS: all ids. ARGV: prefix, queue, where they wait, channel, message or nothing; then
 * each id with the number of which its place is made.
 */
export const SHOW = `
local prefix, queue, where, channel, message = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local base = prefix .. ':' .. queue .. ':'
local places, waiting = {}, {}
for i = 6, #ARGV, 2 do
  local id, number = ARGV[i], tonumber(ARGV[i + 1])
  redis.call('PERSIST', base .. id)
  places[#places + 1] = 0
  places[#places + 1] = id .. ':' .. queue
  if where == 'prioritized' then
    number = number * 0x100000000 + redis.call('INCR', base .. 'pc') % 0x100000000
  elseif where == 'delayed' then
    -- Those of one millisecond stay in their order.
    number = number * 0x1000 + (i / 2) % 0x1000
  end
  if where ~= 'wait' then waiting[#waiting + 1] = number end
  waiting[#waiting + 1] = id
end
redis.call('ZADD', KEYS[1], unpack(places))
redis.call(where == 'wait' and 'LPUSH' or 'ZADD', base .. where, unpack(waiting))
if where == 'waiting-children' then
  redis.call('ZADD', prefix .. '::parked', unpack(places))
elseif where == 'delayed' then
  local first = redis.call('ZRANGE', base .. where, 0, 0, 'WITHSCORES')
  redis.call('ZADD', base .. 'marker', first[2] / 0x1000, '1')
elseif redis.call('HEXISTS', base .. 'meta', 'paused') == 0 then
  redis.call('ZADD', base .. 'marker', 0, '0')
end
if message ~= '' then redis.call('PUBLISH', channel, message) end
return 1`
