# frozen_string_literal: true

# Passenger beside Puma, Unicorn and Passenger 6 on the same Rack applications, in one run. See bench/README.md.

require_relative "harness/comparison"
require_relative "harness/interruption"
require_relative "harness/load_table"
require_relative "harness/machine"
require_relative "harness/own_cost"
require_relative "harness/report"
require_relative "harness/settings"
require_relative "harness/summary"
require_relative "ruby_servers"

hello = "Hello world\n"
pattern = "0123456789abcdef" * 64
bodies = { "hello" => hello, "sinatra" => hello, "body10k" => pattern * 10, "body1m" => pattern * 1024 }

commands = Bench::RubyServers::ALL
settings = Bench::Settings.new(ENV, known_apps: bodies.keys, known_servers: commands.keys)
chosen = commands.slice(*settings.servers)
workloads = settings.apps.map do |name|
  Bench::Workload.new(name:, kind: :rack, dir: File.join(__dir__, "apps", name), body: bodies.fetch(name),
                      load: Bench::Load::HTTP, commands: chosen)
end

Bench::Interruption.leave_in_order
Bench::Processes.become_subreaper
machine = Bench::Machine.to_h({ ruby: RUBY_DESCRIPTION })

measurements = Bench::Comparison.new(settings, workloads).run { |taken| puts Bench::Report.line(taken) }
rows = Bench::Summary.rows(measurements, "ours")
own_cost = Bench::OwnCost.measure(commands.fetch("ours"), "#{__dir__}/apps/hello") if chosen.key?("ours")

tables = Bench::LoadTable.all(workloads, rows)
tables << Bench::OwnCost.to_markdown(own_cost) if own_cost

report = Bench::Report.new(
  title: "Ruby servers", machine:, settings:, commands: chosen, sections: tables,
  record: { summary: rows, own_cost:, measurements: measurements.map(&:to_h) }
)
puts "", report.to_markdown
puts "", "Written: #{report.write(File.join(__dir__, 'results'), 'ruby').join(', ')}"
