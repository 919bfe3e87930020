# frozen_string_literal: true

# Keeps a megabyte for every request, for good: `/5` keeps five.

require "uri" # Rack::Lint uses it without asking for it

leaked = []

application = lambda do |env|
  megabytes = Integer(env["PATH_INFO"].delete_prefix("/"), exception: false) || 1
  leaked << ("x" * (megabytes * 1024 * 1024))
  [200, { "content-type" => "text/plain" }, ["#{Process.pid} leaked #{leaked.sum(&:bytesize) / 1024 / 1024} MB\n"]]
end

use Rack::Lint
run application
