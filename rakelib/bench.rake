# frozen_string_literal: true

namespace :bench do
  desc "Passenger beside other Ruby servers; ONLY=hello SERVERS=ours,puma ROUNDS=3 SECONDS=3 CONNECTIONS=1,32,256"
  task ruby: "build:release" do
    ruby "bench/ruby.rb"
  end
end
