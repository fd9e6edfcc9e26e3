{{/* The environment of a container: plain settings, the chart's own, and those with secrets by reference. */}}
{{- define "iit.env" -}}
{{- $root := .root -}}
{{- $own := dict
  "IIT_ENVIRONMENT" "production"
  "IIT_LOG_FORMAT" "json"
  "IIT_STATE_DIR" "/var/lib/iit"
  "IIT_SCRATCH_DIR" "/var/lib/iit/scratch"
  "IIT_PUBLIC_URL" (printf "https://%s" $root.Values.host)
  "IIT_HOSTS" (join "," (prepend $root.Values.extraHosts $root.Values.host))
  "IIT_METRICS_HOST" "0.0.0.0"
  "IIT_METRICS_PORT" (toString $root.Values.metrics.port) -}}
{{- if $root.Values.files.url -}}
{{- $_ := set $own "IIT_BLOB_URL" $root.Values.files.url -}}
{{- else -}}
{{- $_ := set $own "IIT_BLOB_URL" "file:///mnt/files" -}}
{{- end -}}
{{- if eq .component "api" -}}
{{- $_ := set $own "IIT_HOST" "0.0.0.0" -}}
{{- $_ := set $own "IIT_PORT" "8000" -}}
{{- $_ := set $own "IIT_DRAIN_SECONDS" (toString $root.Values.api.drainSeconds) -}}
{{- $_ := set $own "IIT_PROXIES" (join "," $root.Values.edge.proxies) -}}
{{- $_ := set $own "IIT_HTTPS_ONLY" "true" -}}
{{- end -}}
{{- if eq .component "worker" -}}
{{- $_ := set $own "IIT_JOBS_THREADS" (toString $root.Values.worker.threads) -}}
{{- $_ := set $own "IIT_JOBS_GRACE_SECONDS" (toString $root.Values.worker.graceSeconds) -}}
{{- end -}}
{{- range $name, $value := $root.Values.settings -}}
{{- $text := $value -}}
{{- if not (kindIs "string" $value) -}}{{- $text = toJson $value -}}{{- end -}}
{{- $_ := set $own $name $text -}}
{{- end -}}
- {name: HOME, value: /var/lib/iit}
- {name: TMPDIR, value: /tmp}
{{- range $name := keys $own | sortAlpha }}
- name: {{ $name }}
  value: {{ get $own $name | quote }}
{{- end }}
{{- $owner := list -}}
{{- if .owner }}{{- $owner = $root.Values.secrets.owner.keys -}}{{- end }}
{{- range $name := $root.Values.secrets.app.keys }}
{{- if not (has $name $owner) }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {name: {{ $root.Values.secrets.app.name }}, key: {{ $name }}}
{{- end }}
{{- end }}
{{- range $name := $owner }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {name: {{ $root.Values.secrets.owner.name }}, key: {{ $name }}}
{{- end }}
{{- end -}}

{{/* What Pod Security asks at "restricted". It is no value: nobody can loosen it. */}}
{{- define "iit.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.image.userId }}
runAsGroup: {{ .Values.image.userId }}
fsGroup: {{ .Values.image.userId }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "iit.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* The image and the security of a container. */}}
{{- define "iit.container" -}}
image: {{ include "iit.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
workingDir: /app
securityContext:
  {{- include "iit.containerSecurity" . | nindent 2 }}
{{- end -}}

{{/* Fields of every pod: its account, its security, its place. */}}
{{- define "iit.pod" -}}
serviceAccountName: {{ include "iit.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "iit.podSecurity" .root | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .root.Values.scheduling.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.scheduling.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.scheduling.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "iit.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: {{ .root.Values.scheduling.zones }}
    labelSelector:
      matchLabels:
        {{- include "iit.component" . | nindent 8 }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: {{ .root.Values.scheduling.nodes }}
    labelSelector:
      matchLabels:
        {{- include "iit.component" . | nindent 8 }}
{{- end -}}

{{/* The only folders that a container writes to. scratch: the size of the first. */}}
{{- define "iit.scratch" -}}
- name: state
  emptyDir: {sizeLimit: {{ .scratch }}}
- name: tmp
  emptyDir: {sizeLimit: {{ .scratch }}}
{{- end -}}

{{- define "iit.scratchMounts" -}}
- {name: state, mountPath: /var/lib/iit}
- {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "iit.files" -}}
{{- if include "iit.hasFilesClaim" . }}
- name: files
  persistentVolumeClaim: {claimName: {{ include "iit.filesClaim" . }}}
{{- end }}
{{- end -}}

{{- define "iit.filesMount" -}}
{{- if include "iit.hasFilesClaim" . }}
- {name: files, mountPath: /mnt/files}
{{- end }}
{{- end -}}

{{/* The pod of the API, for Deployment and Rollout. */}}
{{- define "iit.apiPod" -}}
{{- $api := dict "root" . "component" "api" -}}
metadata:
  labels:
    {{- include "iit.podLabels" $api | nindent 4 }}
  {{- with .Values.api.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "iit.pod" $api | nindent 2 }}
  {{- include "iit.spread" $api | nindent 2 }}
  terminationGracePeriodSeconds: {{ add .Values.api.drainSeconds 40 }}
  containers:
    - name: api
      {{- include "iit.container" . | nindent 6 }}
      command: [iit, serve]
      env:
        {{- include "iit.env" $api | nindent 8 }}
      ports:
        - {name: http, containerPort: 8000}
        - {name: metrics, containerPort: {{ .Values.metrics.port }}}
      startupProbe:
        httpGet: {path: /health/startup, port: http}
        periodSeconds: 5
        timeoutSeconds: 7
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /health/live, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: "/health/ready?exclude=data_databases", port: http}
        periodSeconds: 5
        timeoutSeconds: 7
        failureThreshold: 2
      resources:
        {{- toYaml .Values.api.resources | nindent 8 }}
      volumeMounts:
        {{- include "iit.scratchMounts" . | nindent 8 }}
        {{- include "iit.filesMount" . | nindent 8 }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "iit.scratch" (dict "scratch" .Values.api.scratchSize) | nindent 4 }}
    {{- include "iit.files" . | nindent 4 }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* The smoke test of a version: iit smoke. Its requests bear the public name; pages over HTTPS alone are skipped, unless
     edge.proxies has the network of this pod. */}}
{{- define "iit.smoke" -}}
command: [iit, smoke]
args: [{{ .address }}, --host, {{ .root.Values.host }}, --exclude, data_databases, --wait, "120"]
{{- end -}}

{{/* The pod of a smoke test. Takes root and address. */}}
{{- define "iit.smokePod" -}}
{{- $smoke := dict "root" .root "component" "smoke" -}}
{{ include "iit.pod" $smoke }}
restartPolicy: Never
containers:
  - name: smoke
    {{- include "iit.container" .root | nindent 4 }}
    {{- include "iit.smoke" . | nindent 4 }}
    resources:
      requests: {cpu: 50m, memory: 64Mi}
      limits: {cpu: 500m, memory: 256Mi}
    volumeMounts:
      {{- include "iit.scratchMounts" . | nindent 6 }}
volumes:
  {{- include "iit.scratch" (dict "scratch" "64Mi") | nindent 2 }}
{{- end -}}
