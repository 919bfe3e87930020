# frozen_string_literal: true

# Passenger beside Puma, Unicorn and Passenger 6 on the same Rack applications, in one run. See bench/README.md.

require_relative "harness/comparison"
require_relative "harness/machine"
require_relative "harness/report"
require_relative "harness/settings"
require_relative "harness/summary"
require_relative "harness/own_cost"
require_relative "ruby_servers"

commands = Bench::RubyServers::ALL
apps = File.join(__dir__, "apps")
settings = Bench::Settings.new(ENV, known_apps: %w[hello sinatra body10k body1m], known_servers: commands.keys)
chosen = commands.slice(*settings.servers)

# Leaves through the ensure that stops the running server; asked once more, it goes on stopping it.
%w[INT TERM].each do |signal|
  trap(signal) do
    %w[INT TERM].each { |later| trap(later, "IGNORE") }
    abort "Interrupted; nothing written."
  end
end
Bench::Processes.become_subreaper
machine = Bench::Machine.to_h

measurements = Bench::Comparison.new(settings, chosen, apps).run { |taken| puts Bench::Report.line(taken) }
own_cost = Bench::OwnCost.measure(commands.fetch("ours"), File.join(apps, "hello")) if chosen.key?("ours")

report = Bench::Report.new(
  machine:, settings:, commands: chosen, own_cost:, measurements:, rows: Bench::Summary.rows(measurements, "ours")
)
puts "", report.to_markdown
puts "", "Written: #{report.write(File.join(__dir__, 'results'), 'ruby').join(', ')}"
