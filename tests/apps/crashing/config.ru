# frozen_string_literal: true

# Ends in all the ways a process can: at boot as CRASH_AT_BOOT says, later as the path says.

require "uri" # Rack::Lint uses it without asking for it

case ENV["CRASH_AT_BOOT"]
when "exception" then raise ArgumentError, "DATABASE_URL is not set"
when "exit"
  warn "the license has expired"
  exit 7
when "exit-silently" then exit! 9
when "kill" then Process.kill(:KILL, Process.pid)
when "hang"
  $stdout.puts "connecting to a database that never answers"
  $stdout.flush
  sleep
when "syntax" then eval("def broken(", binding, File.join(__dir__, "broken.rb"), 1) # rubocop:disable all
when "chatty"
  2_000.times { |i| warn "line #{i} of a long complaint" }
  raise "the last word"
end

application = lambda do |env|
  case env["PATH_INFO"]
  when "/kill" then Process.kill(:KILL, Process.pid)
  when "/segfault" then Process.kill(:SEGV, Process.pid)
  when "/exit" then Kernel.exit!(4)
  end
  sleep if env["PATH_INFO"] == "/kill"
  [200, { "content-type" => "text/plain" }, ["#{Process.pid}\n"]]
end

use Rack::Lint
run application
