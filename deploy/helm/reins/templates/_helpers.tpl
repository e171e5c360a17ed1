{{- define "reins.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "reins.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "reins.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "reins.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "reins.selectorLabels" -}}
app.kubernetes.io/name: {{ include "reins.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "reins.labels" -}}
{{ include "reins.selectorLabels" . }}
app.kubernetes.io/part-of: reins
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "reins.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "reins.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "reins.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Words of templates are true when not empty. */}}
{{- define "reins.externalMongo" -}}
{{- if or .Values.mongodb.uri .Values.mongodb.existingSecret -}}true{{- end -}}
{{- end -}}

{{- define "reins.redis" -}}
{{- if or .Values.redis.url .Values.redis.existingSecret -}}true{{- end -}}
{{- end -}}

{{/* Two controllers at once, as in a rolling update, need both to be shared. */}}
{{- define "reins.shared" -}}
{{- if and (include "reins.externalMongo" .) (include "reins.redis" .) -}}true{{- end -}}
{{- end -}}

{{- define "reins.several" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) -}}true{{- end -}}
{{- end -}}

{{- define "reins.inCluster" -}}
{{- if and (eq .Values.sessions.launcher "kubernetes") .Values.sessions.local -}}true{{- end -}}
{{- end -}}

{{- define "reins.sessionsNamespace" -}}
{{- default .Release.Namespace .Values.sessions.namespace -}}
{{- end -}}

{{- define "reins.serviceUrl" -}}
{{- printf "http://%s.%s.svc:%d" (include "reins.fullname" .) .Release.Namespace (int .Values.service.port) -}}
{{- end -}}

{{- define "reins.publicUrl" -}}
{{- if .Values.publicUrl -}}
{{- .Values.publicUrl -}}
{{- else if and .Values.ingress.enabled .Values.ingress.hosts -}}
{{- printf "%s://%s" (ternary "https" "http" (gt (len .Values.ingress.tls) 0)) (index .Values.ingress.hosts 0).host -}}
{{- else -}}
{{- include "reins.serviceUrl" . -}}
{{- end -}}
{{- end -}}

{{/* JSON by hand: the first cluster is the one sessions run in that name none, and toJson would sort. */}}
{{- define "reins.clusters" -}}
{{- $entries := list -}}
{{- if .Values.sessions.local -}}
{{- $own := dict "namespace" (include "reins.sessionsNamespace" .) "baseUrl" (include "reins.serviceUrl" .) -}}
{{- $entries = append $entries (printf "%s:%s" (toJson .Values.sessions.clusterName) (toJson $own)) -}}
{{- end -}}
{{- range .Values.clusters -}}
{{- $one := dict "kubeconfig" (printf "/etc/reins/clusters/%s/kubeconfig" .name) -}}
{{- with .context }}{{- $_ := set $one "context" . -}}{{- end -}}
{{- with .namespace }}{{- $_ := set $one "namespace" . -}}{{- end -}}
{{- with .baseUrl }}{{- $_ := set $one "baseUrl" . -}}{{- end -}}
{{- $entries = append $entries (printf "%s:%s" (toJson .name) (toJson $one)) -}}
{{- end -}}
{{- printf "{%s}" (join "," $entries) -}}
{{- end -}}

{{- define "reins.authSecret" -}}
{{- default (printf "%s-auth" (include "reins.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{- define "reins.connectionsSecret" -}}
{{- printf "%s-connections" (include "reins.fullname" .) -}}
{{- end -}}

{{/* What cannot work ends the install, with what to do. */}}
{{- define "reins.check" -}}
{{- if include "reins.several" . -}}
{{- if not (include "reins.shared" .) -}}
{{- fail "More than one controller needs a MongoDB server and Redis: set mongodb.uri (or mongodb.existingSecret) and redis.url (or redis.existingSecret), or replicas: 1 without autoscaling. The embedded database is for one controller." -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.sessions.launcher "kubernetes") (not .Values.sessions.local) (not .Values.clusters) -}}
{{- fail "No session could start: sessions.local is false and clusters is empty. Name a cluster, or set sessions.launcher: external." -}}
{{- end -}}
{{- if and .Values.sessions.createNamespace (eq (include "reins.sessionsNamespace" .) .Release.Namespace) -}}
{{- fail "sessions.createNamespace needs a sessions.namespace other than the release's, which Helm makes itself (--create-namespace)." -}}
{{- end -}}
{{- $names := list .Values.sessions.clusterName -}}
{{- range .Values.clusters -}}
{{- if has .name $names -}}
{{- fail (printf "Two clusters are called %q: sessions.clusterName and the names of clusters must differ." .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.serviceMonitor.tokenSecret.name) -}}
{{- fail "serviceMonitor.tokenSecret.name is missing: /metrics is not public, so Prometheus needs an API key that may read it." -}}
{{- end -}}
{{- end -}}
