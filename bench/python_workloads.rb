# frozen_string_literal: true

require_relative "harness/footprint"
require_relative "harness/load"
require_relative "harness/settings"
require_relative "harness/workload"
require_relative "python_servers"

module Bench
  # What the Python servers are compared with.
  class PythonWorkloads
    APPS = File.join(__dir__, "apps")
    HELLO = "Hello world\n"
    PATTERN = "0123456789abcdef" * 64

    # Name, kind of server, and what GET / is to answer.
    LOADS = {
      "hello_wsgi" => [:wsgi, HELLO],
      "hello_asgi" => [:asgi, HELLO],
      "flask" => [:wsgi, HELLO],
      "django" => [:wsgi, File.read("#{APPS}/django/expected.html")],
      "fastapi" => [:asgi, '{"id":1,"text":"Hello world","tags":["short","polite"]}'],
      "body10k_wsgi" => [:wsgi, PATTERN * 10],
      "body1m_wsgi" => [:wsgi, PATTERN * 1024],
      "websocket" => [:websocket, HELLO]
    }.freeze
    MEMORY = "memory"

    NAMES = [*LOADS.keys, MEMORY].freeze
    SERVERS = %i[wsgi asgi memory].flat_map { |kind| PythonServers.new(workers: 1).public_send(kind).keys }.uniq.freeze

    def initialize(settings)
      @settings = settings
    end

    # The Workloads that are to be run under load.
    def loads
      (@settings.apps - [MEMORY]).filter_map do |name|
        kind, body = LOADS.fetch(name)
        workload(name, kind, name, body, Settings::WORKERS)
      end
    end

    # The Workload whose memory is to be measured; nil when that was not asked for.
    def memory
      return unless @settings.apps.include?(MEMORY)

      workload(MEMORY, :memory, "django", LOADS.fetch("django").last, Footprint::WORKERS)
    end

    private

    # nil when none of the chosen servers can serve it.
    def workload(name, kind, app, body, workers)
      commands = PythonServers.new(workers:).public_send(kind).slice(*@settings.servers)
      return if commands.empty?

      load = kind == :websocket ? Load::WEBSOCKET : Load::HTTP
      Workload.new(name:, kind:, dir: File.join(APPS, app), body:, load:, commands:)
    end
  end
end
