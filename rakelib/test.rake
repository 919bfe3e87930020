# frozen_string_literal: true

# All parts run even when one fails, so that one run tells everything; the failed parts are named at the end.
module TestRun
  PARTS = {
    "lint" => "formatting, clippy, rubocop, ruff, mypy",
    "test:rust" => "native and agent",
    "test:ruby" => "the gem's Ruby",
    "test:ruby:gc_stress" => "the gem's Ruby under GC.stress",
    "test:python" => "the wheel's Python",
    "test:gem" => "the gem built, installed and used",
    "test:wheel" => "the wheel and the sdist built, installed and used",
    "test:second_ruby" => "another Ruby, and Rack 3",
    "test:scenarios" => "real apps, real signals",
    "test:scenarios:wsgi" => "what is promised in every language, over WSGI",
    "test:scenarios:asgi" => "the same over ASGI"
  }.freeze
  # Scenarios that expect the same of an application in any language.
  OF_ANY_LANGUAGE = %w[
    departure ending growth http_framing http_semantics limits placement pool process_environment recycling refork
    response_bodies restart restart_and_reload rolling_restart single_worker spawning static_files sticky_sessions
    surroundings uploads users watchdog
  ].freeze

  def self.scenarios(language)
    chosen = OF_ANY_LANGUAGE.flat_map { |name| ["--test", name] }
    [{ **Build.environment("debug"), "PASSENGER_TEST_LANGUAGE" => language },
     "cargo", "test", "--no-fail-fast", "-p", "passenger-tests", *chosen]
  end

  def self.part(name, meaning)
    puts "", "==> #{name}: #{meaning}"
    Rake::Task[name].invoke
    nil
  rescue StandardError => e
    puts "==> #{name} FAILED: #{e.message.lines.first}"
    name
  end
end

desc "Run all checks and tests"
task test: :build do
  $stdout.sync = true
  failed = TestRun::PARTS.filter_map { |name, meaning| TestRun.part(name, meaning) }
  abort "\nFAILED: #{failed.join(', ')} (run one alone: rake #{failed.first})" if failed.any?
end

namespace :test do
  desc "Unit tests of native and agent"
  task :rust do
    sh "cargo", "test", "--quiet", "--no-fail-fast", "-p", "passenger-native", "-p", "passenger-agent"
  end

  desc "The pool in 100,000 simulated worlds; `rake test:rust` has 2,000 of them"
  task :simulation do
    sh({ "PASSENGER_SIMULATION_SEEDS" => ENV.fetch("PASSENGER_SIMULATION_SEEDS", "100000") },
       "cargo", "test", "--quiet", "--package", "passenger-agent", "--lib", "simulation")
  end

  # Ruby tests in a process of their own, against the development build, and without the minitest plugins of other gems
  # (Rails' reporter).
  ruby_tests = lambda do |file, **environment|
    sh({ **Build.environment("debug"), "MT_NO_PLUGINS" => "1", **environment }, "ruby", "-w", file)
  end

  desc "The gem's Ruby suite"
  task ruby: :build do
    ruby_tests.call("ruby/test/run.rb")
  end

  desc "The gem's Ruby suite with a garbage collection at every allocation"
  task "ruby:gc_stress" => :build do
    ruby_tests.call("ruby/test/run.rb", "GC_STRESS" => "1")
  end

  desc "Build the gem, install it into an empty GEM_HOME, use it there"
  task gem: :gem do
    ruby_tests.call("tests/gem/install_test.rb")
  end

  desc "Scenarios over the applications in tests/apps"
  task scenarios: %w[build python_apps] do
    sh Build.environment("debug"), "cargo", "test", "--no-fail-fast", "-p", "passenger-tests"
  end

  %w[wsgi asgi].each do |language|
    desc "Scenarios of any language over #{language.upcase} applications"
    task "scenarios:#{language}" => :build do
      sh(*TestRun.scenarios(language))
    end
  end
end
