# frozen_string_literal: true

require "fileutils"
require "tmpdir"
require_relative "harness/command"

module Bench
  # The applications whose memory is measured.
  class ReforkApps
    # The one that `rake bench:python` makes.
    PYTHON = "#{ROOT}/target/bench-python/bin/python".freeze

    # +names+ of rails and django.
    def initialize(names)
      unknown = names - %w[rails django]
      raise ArgumentError, "ONLY: unknown #{unknown.join(', ')}; known are rails, django" if unknown.any?

      @names = names
    end

    # What ReforkMemory is to be told of each.
    def all = @names.map { |name| public_send(name) }

    # { name => version } of what they are written in.
    def languages
      versions = { "rails" => { ruby: RUBY_DESCRIPTION },
                   "django" => { python: IO.popen([PYTHON, "--version"], &:read).strip } }
      versions.slice(*@names).values.reduce({}, :merge)
    end

    # A copy with a database.
    def rails
      dir = File.join(Dir.mktmpdir("passenger-bench"), "rails")
      at_exit { FileUtils.remove_entry(File.dirname(dir)) }
      FileUtils.cp_r("#{ROOT}/tests/apps/rails", dir)
      migrated = system({ "RAILS_ENV" => "production" }, "bin/rails", "db:migrate", chdir: dir, out: File::NULL)
      raise "bin/rails db:migrate failed" unless migrated

      { app: "rails", dir:, paths: %w[/ /posts /posts/new /worker /database], options: [] }
    end

    def django
      { app: "django", dir: "#{__dir__}/apps/django", paths: ["/"], options: ["--python", PYTHON] }
    end
  end
end
