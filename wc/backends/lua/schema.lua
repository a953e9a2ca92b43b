--[[
faultline's Redis functions: the only code that changes a job's state.

Each function is atomic and idempotent, and does no per-word work: Redis
coordinates and stores blobs; counting and folding stay with the clients.

Key schema (one job; every key carries the hash tag {job}, and is passed as a key)

the work, on an origin's own Redis, and on that of a driver that adopted the origin
  {job}:tasks:ORIGIN       stream   splits to do: fields seq, task
  {job}:started:ORIGIN     hash     seq -> "SECONDS BYTES": first claim of a split
  {job}:copies:ORIGIN      hash     seq -> when a speculative copy was handed out
  {job}:pace               list     "SECONDS BYTES" of the latest splits, from first claim to commit
  {job}:latency            list     seconds from enqueue to commit of the latest splits
  {job}:errors             hash     ORIGIN/seq -> last error, JSON; ORIGIN/seq/absent -> hosts that cannot
                                     read its files
  {job}:stats              hash     duplicates, takeovers, speculations, failures, wasted_ms,
                                    recounted: dots that were forgotten to be counted again

the results, on every replica
  {job}:manifest           hash     ORIGIN -> sealed total; ORIGIN/revision; ORIGIN/retracted: how many
                                    dots that revision retracts; ORIGIN/high: highest seq enqueued here;
                                    ORIGIN/attempt: how often its dead splits were put back
  {job}:files              hash     ORIGIN -> its manifest, packed; ORIGIN/revision
  {job}:applied:ORIGIN     bitmap   P: bit seq is 1 once the dot (ORIGIN, seq) is applied
  {job}:retracted:ORIGIN   bitmap   N: bit seq is 1 once the dot is retracted
  {job}:deltas:ORIGIN      hash     seq -> packed counts (docs/delta-format.md) of dots above the base
  {job}:base:ORIGIN        string   the sum of dots 1..through without the excluded ones, packed
  {job}:bases              hash     ORIGIN -> "through digest", digest being that of dots 1..through
  {job}:taken:ORIGIN       bitmap   excluded: retracted dots whose counts the base does not contain
  {job}:negatives:ORIGIN   hash     seq -> packed counts of retracted dots that the base still contains
  {job}:voids              hash     ORIGIN -> how many dots are retracted and not applied
  {job}:digest             hash     ORIGIN -> XOR over its dots of sha1(dot, content), and over its
                                    retracted dots of sha1(mark), in hex
  {job}:dead               hash     ORIGIN/seq -> the error that ended the split, JSON; its first member is
                                    `attempt`, if it was not the first
  {job}:counts             zset     published totals, read with ZREVRANGE (written by the driver)
  {job}:published          string   which state `counts` was made of (written by the driver)
  {job}:extent             hash     how many of how many words `counts` has (written by the driver)
  {job}:sum                hash     until it is published, at the sum leader: 0, 1, ... -> pieces of all counts,
                                    packed; state -> the digest they are the sum of; pieces -> how many,
                                    distinct -> how many words there are

The dot (ORIGIN, seq) is a split's identity, and its delta never changes. P and N are
sets of dots that only grow, so merge is their union, whoever delivers them, however
often, in whichever order. The value is the sum of the deltas in P and not in N.
A base is one way of keeping such a sum; which dots it covers changes no value.
]]

local GROUP = 'workers'

-- The keys of one origin's results, in the order in which every function here takes them.
local RESULTS = { 'applied', 'retracted', 'deltas', 'negatives', 'taken', 'base', 'bases', 'voids',
  'digest', 'dead' }

local function results(keys)
  local named = {}
  for i, name in ipairs(RESULTS) do
    named[name] = keys[i]
  end
  return named
end

local function seconds_now()
  local now = redis.call('TIME')
  return now[1] + now[2] / 1e6
end
