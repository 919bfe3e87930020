# frozen_string_literal: true

# Takes BOOT_SECONDS to boot, and `/SECONDS` to answer.

require "uri" # Rack::Lint uses it without asking for it

sleep Float(ENV.fetch("BOOT_SECONDS", "0"))

application = lambda do |env|
  seconds = Float(env["PATH_INFO"].delete_prefix("/"), exception: false) || 0.0
  sleep seconds
  [200, { "content-type" => "text/plain" }, ["#{Process.pid} after #{seconds} s\n"]]
end

use Rack::Lint
run application
