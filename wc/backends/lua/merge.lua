-- The one merge: a dot joins P, a dot joins N. Nothing else changes their bits but `rebase`,
-- which sets those that a base covers, and `forget`.

-- Offset and size of the content checksum in a delta's header (docs/delta-format.md).
local SUM_FIRST, SUM_LAST = 5, 20
local NO_DIGEST = '0000000000000000000000000000000000000000'

-- The XOR of many digests, as five numbers.
local function xor_into(sum, hex)
  for i = 1, 5 do
    sum[i] = bit.bxor(sum[i] or 0, tonumber(string.sub(hex, 8 * i - 7, 8 * i), 16))
  end
end

local function to_hex(sum)
  local out = {}
  for i = 1, 5 do
    out[i] = bit.tohex(sum[i])
  end
  return table.concat(out)
end

local function xor_hex(a, b)
  local sum = {}
  xor_into(sum, a)
  xor_into(sum, b)
  return to_hex(sum)
end

local function dot_digest(origin, seq, delta)
  return redis.sha1hex(origin .. '/' .. seq .. '/' .. string.sub(delta, SUM_FIRST, SUM_LAST))
end

local function mark_digest(origin, seq)
  return redis.sha1hex(origin .. '/' .. seq .. '/retracted')
end

local function note_digest(r, origin, change)
  local before = redis.call('HGET', r.digest, origin)
  redis.call('HSET', r.digest, origin, before and xor_hex(before, change) or change)
end

-- Up to which dot the base goes, and the digest of those dots; 0 without a base.
local function base_of(r, origin)
  local text = redis.call('HGET', r.bases, origin)
  if not text then
    return 0, NO_DIGEST
  end
  local through, digest = string.match(text, '^(%d+) (%x+)$')
  return tonumber(through), digest
end

-- Dots that join P: lists of their seqs and deltas. Returns for each true if it was new here, false
-- for a duplicate. Lua copies its arguments twice, so a large delta is stored in `deltas` first, in
-- the same transaction, unless it is there; and only its head is given here.
local function merge(r, origin, seqs, deltas)
  local retractions = redis.call('EXISTS', r.retracted) == 1
  local deaths = redis.call('EXISTS', r.dead) == 1
  local result, sum, changed = {}, {}, false
  for i, seq in ipairs(seqs) do
    local delta = deltas[i]
    local stored = #delta == SUM_LAST
    result[i] = redis.call('SETBIT', r.applied, seq, 1) == 0
    if result[i] then
      if not stored then
        redis.call('HSET', r.deltas, seq, delta)
      end
      xor_into(sum, dot_digest(origin, seq, delta))
      changed = true
      if retractions and redis.call('GETBIT', r.retracted, seq) == 1 then
        redis.call('HINCRBY', r.voids, origin, -1)
      end
      if deaths then
        redis.call('HDEL', r.dead, origin .. '/' .. seq)
      end
    elseif stored and tonumber(seq) <= base_of(r, origin) then
      redis.call('HDEL', r.deltas, seq) -- the base has it
    end
  end
  if changed then
    note_digest(r, origin, to_hex(sum))
  end
  return result
end

-- 1 if the dot is new in N here, 0 if it was there, -1 if its counts are inside the base and
-- `delta` is empty: then nothing has changed.
local function mark(r, origin, seq, delta)
  if redis.call('GETBIT', r.retracted, seq) == 1 then
    return 0
  end
  local through = base_of(r, origin)
  if tonumber(seq) <= through then
    if delta == '' then
      return -1
    end
    redis.call('HSET', r.negatives, seq, delta)
  end
  redis.call('SETBIT', r.retracted, seq, 1)
  note_digest(r, origin, mark_digest(origin, seq))
  if redis.call('GETBIT', r.applied, seq) == 0 then
    redis.call('HINCRBY', r.voids, origin, 1)
  end
  redis.call('HDEL', r.dead, origin .. '/' .. seq)
  return 1
end

local function as_numbers(truths)
  for i, truth in ipairs(truths) do
    truths[i] = truth and 1 or 0
  end
  return truths
end

-- KEYS results; ARGV origin, then pairs (seq, delta). Dots that arrive from another replica.
-- Returns one 1 (applied) or 0 (duplicate) a dot.
local function apply(keys, args)
  local seqs, deltas = {}, {}
  for i = 2, #args, 2 do
    seqs[#seqs + 1] = args[i]
    deltas[#deltas + 1] = args[i + 1]
  end
  return as_numbers(merge(results(keys), args[1], seqs, deltas))
end

-- KEYS results; ARGV origin, then pairs (seq, delta or ''). Retracts dots; see mark.
local function retract(keys, args)
  local r = results(keys)
  local result = {}
  for i = 2, #args, 2 do
    result[#result + 1] = mark(r, args[1], args[i], args[i + 1])
  end
  return result
end

-- KEYS deltas; ARGV seqs. The content checksum of each delta, '' without one.
local function checksums(keys, args)
  local result = {}
  for i, seq in ipairs(args) do
    result[i] = string.sub(redis.call('HGET', keys[1], seq) or '', SUM_FIRST, SUM_LAST)
  end
  return result
end

-- KEYS results, stats; ARGV origin, then seqs. Forgets that dots above the base were applied, so that
-- they are counted again: replicas have different counts of them. The one exception to P only growing.
-- Returns how many there were. `recounted` in the stats tells a reader to begin anew.
local function forget(keys, args)
  local r, origin, forgotten = results(keys), args[1], 0
  local through = base_of(r, origin)
  for i = 2, #args do
    local seq = args[i]
    local delta = tonumber(seq) > through and redis.call('HGET', r.deltas, seq)
    if delta and redis.call('SETBIT', r.applied, seq, 0) == 1 then
      redis.call('HDEL', r.deltas, seq)
      note_digest(r, origin, dot_digest(origin, seq, delta))
      if redis.call('GETBIT', r.retracted, seq) == 1 then
        redis.call('HINCRBY', r.voids, origin, 1)
      end
      forgotten = forgotten + 1
    end
  end
  if forgotten > 0 then
    redis.call('HINCRBY', keys[#RESULTS + 1], 'recounted', forgotten)
  end
  return forgotten
end

redis.register_function({ function_name = 'wc_checksums', callback = checksums, flags = { 'no-writes' } })
redis.register_function('wc_forget', forget)
redis.register_function('wc_apply', apply)
redis.register_function('wc_retract', retract)
